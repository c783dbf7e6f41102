"""Uploads: multipart/form-data straight to disk, counted while it comes in."""

import errno
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from nbhelpers.serve.form import Form, UploadedFile
from nbhelpers.serve.limits import MIB, Limits
from nbhelpers.serve.refusals import Refusal

_HEADERS_BYTES = MIB  # what a form may hold besides its files: fields, boundaries, headers


@dataclass(frozen=True)
class Upload:
    """What a request carried: its files, its fields, and the seconds it took to come in."""

    files: tuple[UploadedFile, ...]
    fields: dict[str, str]
    seconds: float


async def receive(request: Request, folder: Path, limits: Limits, field: str, most: int) -> Upload:
    """Receive a form into a folder.

    Not by `UploadFile`: FastAPI would read the whole body before the first line of an endpoint, also that of
    a request that has no token or no place, and bound nothing.

    Args:
        request: whose body has not been read.
        folder: where the files go, under names of our own.
        limits: bounds of size and time.
        field: name that the files must go by.
        most: files allowed.

    Raises:
        Refusal: 408, 413, 415, 422 or 503; the rest of the body is then not kept.
        ClientDisconnect: the client left before the end.
    """
    began = time.perf_counter()
    form = Form(_boundary(request), folder, limits, field, most)
    allowed = most * limits.upload_bytes + _HEADERS_BYTES
    _check_announced(request, allowed, limits)
    try:
        with anyio.fail_after(limits.upload_s):
            await _fill(form, request, allowed, limits)
        files = form.finish()
    except TimeoutError:
        raise Refusal(408, f"the upload took over {limits.upload_s:g} s; send a smaller file") from None
    except FormParserError as error:
        raise Refusal(422, f"the form cannot be read: {error}") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Refusal(503, "the server has no room for uploads left; try again later", 30) from error
        raise
    finally:
        form.close()
    return Upload(files, form.fields, time.perf_counter() - began)


async def _fill(form: Form, request: Request, allowed: int, limits: Limits) -> None:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > allowed:
            raise too_large(limits)
        await anyio.to_thread.run_sync(form.write, chunk)  # disks may be slow; other requests go on


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        sent = kind.decode("latin-1") or "nothing said about its type"
        raise Refusal(415, f"send the video as a file in multipart/form-data; this request has {sent}")
    if not options.get(b"boundary"):
        raise Refusal(422, "the form's content type names no boundary; let the client library set it")
    return options[b"boundary"]


def _check_announced(request: Request, allowed: int, limits: Limits) -> None:
    """Refuse by the announced length, before a byte of the body is read."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > allowed:
        raise too_large(limits)


def too_large(limits: Limits) -> Refusal:
    """The refusal of a file above the limit."""
    return Refusal(413, f"the upload is too large; a video may have {limits.upload_mib:g} MiB")
