"""Files that people send stay in memory until they are sealed: none touches a disk as it came."""

import io
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from consent.evidence import LARGEST


class InMemory(FileUploadHandler):
    """Keeps one byte more than a file may have, of all files of a request together, and reads past the rest;
    `size` says how many there were."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.room, self.content = LARGEST + 1, io.BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.content = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.room -= self.content.write(raw_data[: self.room])

    def file_complete(self, file_size: int) -> UploadedFile:
        self.content.seek(0)
        return InMemoryUploadedFile(
            file=self.content,
            field_name=self.field_name,
            name=self.file_name or "file",
            content_type=None,
            size=file_size,
            charset=None,
        )
