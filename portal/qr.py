"""A QR code as a picture in the page itself: no script, no request, sharp on paper."""

import base64

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage


def data_uri(text: str) -> str:
    """Error correction M, as SMART Health Links ask for it."""
    image = qrcode.make(text, image_factory=SvgPathImage, error_correction=ERROR_CORRECT_M)
    return f"data:image/svg+xml;base64,{base64.b64encode(image.to_string()).decode()}"
