from celery import shared_task

from consent import birthdays, commands, evidence, helping, leaving, merge_proposals


@shared_task
def expire_due() -> None:
    """Write down the end of what has run out, and end what rests on it. Safe to run twice."""
    commands.expire_due()


@shared_task
def expire_helpers() -> None:
    """Write down which helpers' time is over, or whose child is of age. Decisions do not wait for it."""
    helping.expire_due()


@shared_task
def close_accounts() -> None:
    """Close the accounts whose owners asked for it and did not undo it. Safe to run twice."""
    leaving.close_due()


@shared_task
def tell_of_birthdays() -> None:
    """Tell teens and their helpers what a birthday will change. It changes nothing. Safe to run twice."""
    birthdays.tell()


@shared_task
def destroy_evidence() -> None:
    """Destroy the papers of requests to help that were answered long enough ago. Safe to run twice."""
    evidence.destroy_due()


@shared_task
def merge_agreed() -> None:
    """Make one of two accounts where both agreed; end what nobody answered. Safe to run twice."""
    merge_proposals.make_due()
