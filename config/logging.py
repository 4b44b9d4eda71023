"""Operational logs: JSON lines on standard output, with allow-listed fields only.

They are not the audit log, and they hold no word from a record: a field that is
not listed here is dropped, so that a careless call cannot leak one.
"""

import logging
import logging.config
import traceback
from collections.abc import Iterator
from typing import Any

import structlog

ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "correlation_id",
        "exc_info",
        "exception",
        "stack",
        "task",
        "job_id",
        "client_id",
        "source",
        "status",
        "method",
        "route",
        "duration_ms",
        "count",
        "size",
        "port",
        "pid",
        "service",
        "path_count",
        "reason",
    ]
)


def drop_unlisted(_logger: object, _name: str, event: dict) -> dict:
    return {key: value for key, value in event.items() if key in ALLOWED or key.startswith("_")}


def without_address(_logger: object, _name: str, event: dict) -> dict:
    """Django names the address in what it says of a request, and an address may name a record: the
    route's pattern and the status take its place. Its security loggers quote the request, too."""
    record = event["_record"]
    if not record.name.startswith(("django.request", "django.security")):
        return event
    request = getattr(record, "request", None)
    match = getattr(request, "resolver_match", None)
    if record.name.startswith("django.security"):
        event.pop("exc_info", None)
    return event | {
        "event": "request refused" if record.levelno < logging.ERROR else "request failed",
        "status": getattr(record, "status_code", None),
        "method": getattr(request, "method", None),
        "route": match.route if match else None,
    }


def traceback_without_messages(exc_info: tuple[type[BaseException], BaseException, Any]) -> str:
    """Where it failed, and by what kind of error. What an error says can quote a record (threats A21)."""
    told = []
    for kind, _, frames in _chain(exc_info[1]):
        where = "".join(traceback.format_list(traceback.extract_tb(frames)))
        told.append(f"{where}{kind.__module__}.{kind.__qualname__}")
    return "\n".join(told)


def _chain(error: BaseException | None) -> Iterator[tuple[type, BaseException, Any]]:
    """An error and what led to it, the first cause first."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    for each in reversed(seen):
        yield type(each), each, each.__traceback__


class NoArguments(logging.Filter):
    """Libraries put URLs and values in their messages; below warning we do not keep those. urllib3 warns
    of odd headers with the address that was asked for: what fails there, its caller says."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("urllib3"):
            return False
        return record.levelno >= logging.WARNING or record.name.startswith("chartkey")


def set_up() -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [*shared, without_address],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        drop_unlisted,
                        structlog.processors.ExceptionRenderer(traceback_without_messages),
                        structlog.processors.JSONRenderer(),
                    ],
                }
            },
            "filters": {"quiet": {"()": NoArguments}},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["quiet"],
                }
            },
            "root": {"handlers": ["stdout"], "level": "INFO"},
        }
    )
