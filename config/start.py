"""What web, worker and scheduler do before they work; the sequencer has `audit.sequencer.start`."""

from django.utils.module_loading import import_string

from config import safety

# Each looks at what may have changed while nothing ran. None keeps a program from starting.
LOOKS = ("audit.truncation.look_at_start", "consent.rule_changes.note_at_start")


def begin() -> None:
    """Raises `config.safety.UnsafeStart`."""
    safety.refuse_unsafe_start()
    for look in LOOKS:
        import_string(look)()
