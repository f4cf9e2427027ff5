"""Settings: what an operator may set, with its type, its default and its meaning.

`settings_tiers` finds the values (defaults < settings.json < environment < flags); here is only what they are.
"""

from __future__ import annotations

import math
import re
import socket
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from jada_orchestrator.adapters.web.addresses import parse_address, unix_path
from jada_orchestrator.domain.instants import parse_duration_ms
from jada_orchestrator.domain.limits import WORKFLOWS_IN_FLIGHT_MAX
from jada_orchestrator.domain.money import Money

SYSTEM_FOLDER: Final = Path("/etc/jada")
_QUEUE_NAME: Final = re.compile(r"\A[A-Za-z0-9_-]{1,80}\Z|\A[A-Za-z0-9_-]{1,75}\.fifo\Z")
_BUCKET_NAME: Final = re.compile(r"\A[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_KEY_PREFIX: Final = re.compile(r"\A(?:(?!.*\.\.)[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,198}/)?\Z")
_STORES: Final = ("sqlite:", "postgresql://", "postgres://")


def _queue_name(name: str) -> str:
    if not _QUEUE_NAME.match(name):
        raise ValueError("a queue's name (not its URL) has 1 to 80 letters, digits, '-' and '_', and may end in .fifo")
    return name


def _bucket_name(name: str) -> str:
    if name and not _BUCKET_NAME.match(name):
        raise ValueError("a bucket's name (not its URL) has 3 to 63 lower-case letters, digits, '-' and '.'")
    return name


def _key_prefix(prefix: str) -> str:
    if not _KEY_PREFIX.match(prefix):
        raise ValueError("a prefix has up to 200 letters, digits, '-', '_', '.' and '/', and ends in '/', or is empty")
    return prefix


def _store_url(url: str) -> str:
    if not url.startswith(_STORES):
        raise ValueError("a store is sqlite:///path/to/journal.db or postgresql://host/database")
    return url


def _health_address(text: str) -> str:
    if text:
        parse_address(text)
    return text


def _socket_path(text: str) -> str:
    if text:
        unix_path(text)
    return text


def _names(value: object) -> object:
    """Take a comma list for a list, as the environment and flags have it."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _duration_ms(value: object) -> object:
    """Take ``90s`` as well as a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('a duration is "90s", "2m" or a number of seconds')  # noqa: TRY004 - pydantic collects ValueErrors
    if isinstance(value, str) and not re.fullmatch(r"[0-9.]+", value.strip()):
        return parse_duration_ms(value)
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError("a duration has an end")
    return round(seconds * 1_000)


def _duration_text(value_ms: int) -> str:
    return f"{value_ms}ms" if value_ms % 1_000 else f"{value_ms // 1_000}s"


def _money_text(text: str) -> str:
    if text:
        amount, _, currency = text.partition(" ")
        Money.parse({"amount": amount, "currency": currency})
    return text


Names: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
MoneyText: TypeAlias = Annotated[str, AfterValidator(_money_text)]


def weight_of(text: str) -> tuple[str, float]:
    """Read ``acme=2.5``. Raises: ValueError."""
    tenant, equals, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not tenant or not equals or not 0.001 <= weight <= 1_000:
        raise ValueError("a tenant's weight is written as its name, '=' and a number from 0.001 to 1000: acme=2.5")
    return tenant, weight


def _weight(text: str) -> str:
    weight_of(text)
    return text


TenantWeight: TypeAlias = Annotated[str, AfterValidator(_weight)]
QueueName: TypeAlias = Annotated[str, AfterValidator(_queue_name)]
HealthAddress: TypeAlias = Annotated[str, AfterValidator(_health_address)]
SocketPath: TypeAlias = Annotated[str, AfterValidator(_socket_path)]
BucketName: TypeAlias = Annotated[str, AfterValidator(_bucket_name)]
KeyPrefix: TypeAlias = Annotated[str, AfterValidator(_key_prefix)]
StoreUrl: TypeAlias = Annotated[str, AfterValidator(_store_url)]
DurationMs: TypeAlias = Annotated[
    int, BeforeValidator(_duration_ms), Field(gt=0), PlainSerializer(_duration_text, return_type=str)
]
LogKind: TypeAlias = Literal["auto", "console", "json", "journal"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


def default_reply_queue() -> str:
    """Return the name of this host's own reply queue: ``jada-replies-`` and the host's name."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "host"
    return f"jada-replies-{host}"[:80]


def default_catalogue() -> Path:
    """Return ``/etc/jada/agents`` where there is one, else the reference catalogue that came with this version."""
    of_host = SYSTEM_FOLDER / "agents"
    return of_host if of_host.is_dir() else reference_catalogue()


def reference_catalogue() -> Path:
    """Return the folder of the reference catalogue: inside the installed package, or in the checkout."""
    packed = Path(str(resources.files("jada_orchestrator"))) / "config" / "agents"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "config" / "agents"


class _Section(BaseModel):
    """A part of the settings. Unknown keys are reported by `settings_tiers`, not refused: old files go on working."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class ModelDefaults(_Section):
    """What every question to the model carries."""

    max_tokens: int = Field(default=16_000, ge=1_000, le=1_000_000)
    """The most that one answer of the planner may have, in tokens; the largest plan has about 15,000."""
    temperature: float | None = None
    """Accepted and not sent: today's models refuse it."""
    top_p: float | None = None
    """Accepted and not sent: today's models refuse it."""
    top_k: int | None = None
    """Accepted and not sent: today's models refuse it."""


class ModelLadder(_Section):
    """Which models plan, and when a stronger one is asked."""

    plan: Names = ()
    """The ladder of planning models, the cheapest first; empty: `model` alone."""
    raise_on_words: Names = ()
    """A request whose text has one of these words begins at the ladder's top."""
    raise_above: MoneyText = ""
    """A request that may cost more than this ("5000 USD") begins at the ladder's top; empty: no such rule."""
    raise_longer_than: int = Field(default=0, ge=0)
    """A request whose text has more characters than this begins at the ladder's top; 0: no such rule."""
    fallback: str = Field(default="", max_length=200)
    """Asked while a question's own model is overloaded; empty: wait for it."""
    cheaper: str = Field(default="", max_length=200)
    """Asked when a budget does not suffice for a question's own model and budgets.when_short is cheaper."""
    provider: Literal["anthropic", "bedrock"] = "anthropic"
    """Who serves the models: the Anthropic API, or AWS Bedrock with the host's own credentials."""
    bedrock_prefix: Literal["", "us.", "eu.", "apac.", "jp.", "au.", "global."] = ""
    """Bedrock's inference profile."""
    prices: Path | None = None
    """A price list to use instead of the shipped one, in the form of config/prices.json."""


class ModelBudgets(_Section):
    """How much model calls may cost, in US dollars; empty: no budget."""

    booking_usd: Decimal | None = Field(default=None, gt=0)
    """For one booking, corrections and retries included."""
    tenant_day_usd: Decimal | None = Field(default=None, gt=0)
    """For one tenant on one UTC day."""
    day_usd: Decimal | None = Field(default=None, gt=0)
    """For everybody on one UTC day."""
    when_short: Literal["wait", "cheaper", "template", "attention"] = "wait"
    """What becomes of a question that a budget does not suffice for: waits for the next day, asks models.cheaper, uses
    a template (or else waits), or goes to a person. A booking whose own budget is used up goes to a person in every
    case."""


class TemplateSettings(_Section):
    """When the skeleton of an earlier plan is used instead of a model."""

    use: Literal["never", "fallback", "prefer"] = "fallback"
    """never, fallback (while the model is out of reach, overloaded or spent), or prefer (for every known shape)."""
    after: DurationMs = 60_000
    """How long nothing of an answer must have come before a template is used instead of waiting on."""


class OffloadSettings(_Section):
    """Where payloads go that are too large for a message."""

    bucket: BucketName = ""
    """The S3 bucket for payloads that are too large for a message; empty: such a payload is an error."""
    prefix: KeyPrefix = "jada/"
    """What every key in it begins with; nothing else in the bucket is read or written."""


class ConnectionLimits(_Section):
    """Connections, each a file descriptor (law 9)."""

    functions: int = Field(default=200, ge=1, le=100_000)
    """Lambda invocations at once."""
    queues: int = Field(default=32, ge=8, le=10_000)
    """Long polls, sends and deletes on SQS at once."""
    model: int = Field(default=16, ge=1, le=10_000)
    """Questions to the model at once."""


class DescriptorSettings(_Section):
    """How the limit of open files is used."""

    ceiling: int = Field(default=524_288, ge=64)
    """The soft limit is raised as far as the hard one, but not above this."""
    functions_weight: float = Field(default=1.0, gt=0, le=1_000)
    """The share of functions where the limit is too low for all that is wanted; 2 is twice as much."""
    queues_weight: float = Field(default=1.0, gt=0, le=1_000)
    """The share of queues, in the same way."""
    model_weight: float = Field(default=1.0, gt=0, le=1_000)
    """The share of the model, in the same way."""


class Settings(BaseSettings):
    """All settings of the daemon and of the commands; `settings_tiers.load_settings` makes them."""

    model_config = SettingsConfigDict(
        env_prefix="JADA_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        validate_default=True,
    )

    model: str = Field(default="claude-sonnet-4-6", min_length=1, max_length=200)
    """The model that plans; a running workflow keeps the one that it began with."""
    models: ModelLadder = ModelLadder()
    """Which models plan, and when a stronger one is asked."""
    budgets: ModelBudgets = ModelBudgets()
    """How much model calls may cost."""
    templates: TemplateSettings = TemplateSettings()
    """When the skeleton of an earlier plan is used instead of a model."""
    defaults: ModelDefaults = ModelDefaults()
    """What every question to the model carries."""
    effort: Literal["low", "medium", "high", "xhigh", "max", "none"] = "medium"
    """How hard the model thinks, where it knows the parameter; none leaves the model its own default."""
    read_plans_ahead: bool = True
    """Start a plan's reads while the rest of it is still arriving; never anything that has an effect."""
    planner_timeout: DurationMs = 120  # seconds, since it is read as any other value: defaults are checked too
    """How long one question to the model may take."""
    store: StoreUrl = "sqlite:///var/lib/jada/journal.db"
    """Where the journal is: a file of this host, or a PostgreSQL database."""
    lease: DurationMs = 10
    """How long an instance that shares its store is waited for when nothing is heard of it; a fifth is added on top."""
    catalogue: Path = Field(default_factory=default_catalogue)
    """The folder with a YAML file for each agent."""
    request_queue: QueueName = "jada-requests"
    """Booking requests and control messages come from here."""
    dead_letter_queue: QueueName = "jada-requests-dlq"
    """What cannot be accepted or planned goes here, whole, with the reason."""
    outcome_queue: QueueName = "jada-outcomes"
    """Outcomes of requests that name no reply_to."""
    reply_queue: QueueName = Field(default_factory=default_reply_queue)
    """SQS workers answer here; each running daemon needs its own."""
    reply_to_allowed: Annotated[tuple[QueueName, ...], NoDecode, BeforeValidator(_names)] = ()
    """Queues that a request may name as its reply_to."""
    log: LogKind = "auto"
    """Where the log goes: console, json, journal; auto chooses by what stderr is."""
    log_level: LogLevel = "info"
    """The least that is logged."""
    offload: OffloadSettings = OffloadSettings()
    """Where payloads go that are too large for a message."""
    connections: ConnectionLimits = ConnectionLimits()
    """How many connections each client may hold."""
    descriptors: DescriptorSettings = DescriptorSettings()
    """How the limit of open files is used; see `jada doctor` for what became of it."""
    fast_invoke: bool = False
    """Call functions and queues on the short way, several times cheaper than by the whole AWS client (decision 16)."""
    calls_in_flight: int = Field(default=200, ge=1, le=100_000)
    """Calls of agents at once, of all bookings together."""
    tenant_weights: Annotated[tuple[TenantWeight, ...], NoDecode, BeforeValidator(_names)] = ()
    """How tenants share what they all wait for, as ``acme=2,beta=0.5``; those that are not named have 1."""
    workflows_in_flight: int = Field(default=1_000, ge=1, le=WORKFLOWS_IN_FLIGHT_MAX)
    """Bookings that are worked on at once; more wait in the queue."""
    receivers: int = Field(default=2, ge=1, le=64)
    """Long polls on the request queue at once."""
    control_socket: SocketPath = ""
    """Where `jada reload` and `jada status` reach the daemon; empty: in the runtime folder, else beside the store."""
    health: HealthAddress = ""
    """Where /healthz, /readyz, /metrics and /version are served: 127.0.0.1:9620 or unix:/path; empty: nowhere."""
    retention_days: float = Field(default=90.0, ge=0, le=36_500)
    """How long the records of a booking are kept after its end; then one record stands for them. 0: for ever."""
    drain_seconds: float = Field(default=25.0, ge=0, le=3_600)
    """How long a stop waits for what is in flight before it parks it for the next start."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is given: `settings_tiers` merges the tiers, since it must know where each value came from."""
        return (init_settings,)
