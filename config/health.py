"""/healthz: does this process reach its database and its queue? For supervisors and balancers."""

from django.core.cache import cache
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when both answer, else 503; the body says which one does not, and nothing else."""
    answers = {"database": _database(), "valkey": _valkey()}
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def _valkey() -> bool:
    try:
        cache.set("healthz", 1, timeout=5)
    except RedisError:
        return False
    return True
