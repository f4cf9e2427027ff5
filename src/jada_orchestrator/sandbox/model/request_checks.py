"""The checks that the real API makes before it answers: key, version, parameters, schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jada_orchestrator.sandbox.model.api_errors import ApiError, invalid_request
from jada_orchestrator.sandbox.model.known_models import EFFORTS, KnownModel, find_model
from jada_orchestrator.sandbox.model.prompt_cache import count_input_tokens, prompt_pieces
from jada_orchestrator.sandbox.model.schema_limits import schema_faults

REQUEST_BYTES_MAX = 32 * 1024 * 1024
CACHE_BREAKPOINTS_MAX = 4
VERSIONS = ("2023-06-01", "2026-10-21")
_SAMPLING = ("temperature", "top_p", "top_k")


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a call without a key or without a known version. Raises ApiError 401 or 400."""
    authorization = headers.get("authorization", "")
    bearer = authorization.removeprefix("Bearer ").strip() if authorization.startswith("Bearer ") else ""
    if not bearer and not headers.get("x-api-key", "").strip():
        raise ApiError(401, "authentication_error", "x-api-key or Authorization: Bearer header is required")
    version = headers.get("anthropic-version")
    if version is None:
        raise invalid_request("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid_request(f"anthropic-version: {version!r} is not a valid version")


def check_messages_request(body: object, version: str) -> tuple[dict[str, Any], KnownModel]:
    """Check the body of `POST /v1/messages`; return it with its model. Raises ApiError 400 or 404."""
    request, model = check_prompt(body)
    _check_max_tokens(request, model)
    if version != "2023-06-01":
        for name in _SAMPLING:
            if name in request:
                raise invalid_request(f"{name}: Extra inputs are not permitted")
    _check_prefill(request, model)
    _check_output_config(request, model)
    _check_thinking(request, model)
    return request, model


def check_prompt(body: object) -> tuple[dict[str, Any], KnownModel]:
    """Check what counting tokens needs too: model and messages. Raises ApiError 400 or 404."""
    if not isinstance(body, dict):
        raise invalid_request("The request body is not valid JSON")
    name = body.get("model")
    if not isinstance(name, str):
        raise invalid_request("model: Field required")
    model = find_model(name)
    if model is None or model.lifecycle == "retired":
        raise ApiError(404, "not_found_error", f"model: {name}")
    _check_messages(body.get("messages"))
    _check_system(body.get("system"))
    breakpoints = sum(piece.ttl is not None for piece in prompt_pieces(body))
    if breakpoints > CACHE_BREAKPOINTS_MAX:
        raise invalid_request(
            f"A maximum of {CACHE_BREAKPOINTS_MAX} blocks with cache_control may be provided. Found {breakpoints}."
        )
    if count_input_tokens(body) > model.max_input_tokens:
        raise invalid_request(f"prompt is too long: more than {model.max_input_tokens} tokens")
    return body, model


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid_request("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise invalid_request(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        _check_content(message.get("content"), f"messages.{index}.content")
    if messages[0]["role"] != "user":
        raise invalid_request('messages: first message must use the "user" role')


def _check_content(content: object, where: str) -> None:
    if isinstance(content, str) and content:
        return
    if not isinstance(content, list) or not content:
        raise invalid_request(f"{where}: non-empty content is required")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or "type" not in block:
            raise invalid_request(f"{where}.{index}: Input should be a content block")
        if block["type"] != "text":
            raise invalid_request(f"{where}.{index}: this stand-in reads text blocks only, not {block['type']!r}")
        if not isinstance(block.get("text"), str) or not block["text"]:
            raise invalid_request(f"{where}.{index}: text content blocks must be non-empty")


def _check_system(system: object) -> None:
    if system is not None and not isinstance(system, str):
        _check_content(system, "system")


def _check_max_tokens(request: dict[str, Any], model: KnownModel) -> None:
    wanted = request.get("max_tokens")
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        raise invalid_request("max_tokens: Field required, a whole number of 0 or more")
    if wanted > model.max_tokens:
        raise invalid_request(
            f"max_tokens: {wanted} > {model.max_tokens}, the maximum allowed number of output tokens for {model.id}"
        )


def _check_prefill(request: dict[str, Any], model: KnownModel) -> None:
    if request["messages"][-1]["role"] != "assistant":
        return
    if not model.prefill or "format" in (request.get("output_config") or {}):
        raise invalid_request(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_output_config(request: dict[str, Any], model: KnownModel) -> None:
    config = request.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        raise invalid_request("output_config: Input should be an object")
    effort = config.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise invalid_request(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort is not None and not model.effort:
        raise invalid_request("This model does not support the effort parameter.")
    output_format = config.get("format")
    if output_format is None:
        return
    if not isinstance(output_format, dict) or output_format.get("type") != "json_schema":
        raise invalid_request("output_config.format.type: Input should be 'json_schema'")
    schema = output_format.get("schema")
    if not isinstance(schema, dict):
        raise invalid_request("output_config.format.schema: Field required")
    faults = schema_faults(schema)
    if faults:
        raise invalid_request("output_config.format.schema: " + "; ".join(faults))


def _check_thinking(request: dict[str, Any], model: KnownModel) -> None:
    thinking = request.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind is not None and kind not in model.thinking:
        raise invalid_request(f"thinking.type: '{kind}' is not supported on this model")
    choice = request.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("tool", "any") and not model.forced_tool:
        raise invalid_request("tool_choice: forced tool use is not supported on this model")
