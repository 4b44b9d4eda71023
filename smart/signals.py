"""What a person's sign-in gave ends with it: `accounts.endings` says when, this room says how."""

from accounts import endings
from smart import launches

endings.on_session_end["smart"] = launches.end_online
endings.on_session_renew["smart"] = launches.follow
endings.on_person_end["smart"] = launches.end_all_of
