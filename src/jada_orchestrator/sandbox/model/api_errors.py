"""The errors of the Messages API, as the stand-in answers them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error answer of the Messages API.

    Raised by the stand-in's request checks and by ordered faults; never leaves the server, which turns it into an HTTP
    answer. The operator sees it as the SDK's exception of the same status and mends the request (or the order).
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        error_code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Hold status, `error.type`, `error.message`, `error.details.error_code` and extra headers."""
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.error_code = error_code
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body, the same for an HTTP error and for an `error` event inside a stream."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.error_code is not None:
            error["details"] = {"error_code": self.error_code}
        return {"type": "error", "error": error, "request_id": request_id}


def invalid_request(message: str) -> ApiError:
    """Return the 400 that a faulty request gets."""
    return ApiError(400, "invalid_request_error", message)
