"""How our pages look, for apps that want to look alike (SMART 2.2, `smart_style_url`)."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

PATH = "/.well-known/smart-style.json"
# The light values of static/app.css; a test holds the two together.
STYLE: Final = {
    "color_background": "#f6f7f5",
    "color_error": "#8f1d14",
    "color_highlight": "#0f5c63",
    "color_modal_backdrop": "#1b2426",
    "color_success": "#1d5b2c",
    "color_text": "#1b2426",
    "dim_border_radius": "8px",
    "dim_font_size": "17px",
    "dim_spacing_size": "16px",
    "font_family_body": "system-ui, sans-serif",
    "font_family_heading": "system-ui, sans-serif",
}


@require_safe
def style(request: HttpRequest) -> JsonResponse:
    return JsonResponse(STYLE, headers={"Cache-Control": "public, max-age=86400"})


def url() -> str:
    return f"{settings.BASE_URL}{PATH}"
