"""What every place for payloads promises: one in memory, and S3 as the local stand-in has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import pytest
import pytest_asyncio
from aiobotocore.session import get_session

from jada_orchestrator.adapters.aws.payloads import S3Payloads
from jada_orchestrator.domain.limits import PAYLOAD_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.payloads import PayloadError, PayloadStore
from jada_orchestrator.sandbox.aws_local import LocalAws
from jada_orchestrator.testing.payloads import MemoryPayloads

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUCKET: Final = "payloads"
PREFIX: Final = "jada/"
CONTENT: Final[dict[str, Any]] = {"letters": "Évora 🛫" * 200_000, "numbers": [1, 2.5], "nothing": None}


class Place:
    """A place, and what lies in it."""

    def __init__(self, payloads: PayloadStore) -> None:
        self.payloads = payloads

    async def write(self, key: str, body: bytes) -> None:
        """Put anything there, as somebody else could."""
        raise NotImplementedError

    async def keys(self) -> list[str]:
        """What lies there."""
        raise NotImplementedError

    async def remove(self, key: str) -> None:
        """Let an object expire."""
        raise NotImplementedError


class MemoryPlace(Place):
    """In memory."""

    def __init__(self) -> None:
        self._memory = MemoryPayloads(BUCKET, PREFIX)
        super().__init__(self._memory)

    async def write(self, key: str, body: bytes) -> None:
        self._memory.objects[key] = body

    async def keys(self) -> list[str]:
        return sorted(self._memory.objects)

    async def remove(self, key: str) -> None:
        del self._memory.objects[key]


class S3Place(Place):
    """A bucket of the stand-in."""

    def __init__(self, client: Any) -> None:
        super().__init__(S3Payloads(client, bucket=BUCKET, prefix=PREFIX, connections=2))
        self.client = client

    async def write(self, key: str, body: bytes) -> None:
        await self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    async def keys(self) -> list[str]:
        found = await self.client.list_objects_v2(Bucket=BUCKET)
        return sorted(each["Key"] for each in found.get("Contents", ()))

    async def remove(self, key: str) -> None:
        await self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s3(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """A client of the stand-in's S3, with a bucket in it."""
    async with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        creating: Any = get_session().create_client
        async with creating(
            "s3",
            region_name="us-east-1",
            endpoint_url=aws.endpoint,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        ) as client:
            await client.create_bucket(Bucket=BUCKET)
            yield client


@pytest_asyncio.fixture(params=["memory", "s3"], loop_scope="module")
async def place(request: pytest.FixtureRequest, s3: Any) -> Place:
    """A place of each kind, empty."""
    if request.param == "memory":
        return MemoryPlace()
    made = S3Place(s3)
    for key in await made.keys():
        await made.remove(key)
    return made


async def code_of(payloads: PayloadStore, ref: PayloadRef) -> str:
    """The code with which a reference is refused."""
    with pytest.raises(PayloadError) as refused:
        await payloads.get(ref)
    assert ref.key in str(refused.value)
    return refused.value.code


async def test_what_was_put_there_comes_back(place: Place) -> None:
    """To the letter; the reference says how large it is and what it hashes to."""
    ref = await place.payloads.put(CONTENT)
    assert await place.payloads.get(ref) == CONTENT
    assert ref.key == f"{PREFIX}{ref.sha256}.json"
    assert ref.bucket == BUCKET
    assert ref.bytes > 1_000_000


async def test_the_same_content_has_the_same_key(place: Place) -> None:
    """Putting it there twice is putting it there once."""
    first = await place.payloads.put(CONTENT)
    assert await place.payloads.put(dict(CONTENT)) == first
    assert await place.keys() == [first.key]


async def test_what_is_gone_is_missing(place: Place) -> None:
    """An object that expired is told by its own code, whoever asks."""
    ref = await place.payloads.put(CONTENT)
    await place.remove(ref.key)
    assert await code_of(place.payloads, ref) == "PAYLOAD_MISSING"


@pytest.mark.parametrize("body", [b"{}", b'{"letters": "' + b"x" * 2_000_000 + b'"}', b"no json"])
async def test_what_was_changed_is_found_out(place: Place, body: bytes) -> None:
    """An object with another content is never taken, be it smaller or larger."""
    ref = await place.payloads.put(CONTENT)
    await place.write(ref.key, body)
    assert await code_of(place.payloads, ref) == "PAYLOAD_ALTERED"


async def test_only_this_place_is_read(place: Place) -> None:
    """Another bucket, another prefix, a way up, or more than is allowed: nothing is read."""
    ref = await place.payloads.put(CONTENT)
    await place.write("secrets/a.json", b"{}")
    for other in (
        replace(ref, bucket="somebody-elses"),
        replace(ref, key="secrets/a.json"),
        replace(ref, bytes=PAYLOAD_BYTES_MAX + 1),
        replace(ref, bytes=0),
    ):
        assert await code_of(place.payloads, other) == "PAYLOAD_REFUSED"


async def test_what_is_no_object_is_refused(place: Place) -> None:
    """An agent may put anything there under its right digest; only a JSON object is taken."""
    body = json.dumps(["no", "object"]).encode()
    digest = hashlib.sha256(body).hexdigest()
    ref = PayloadRef(BUCKET, f"{PREFIX}{digest}.json", len(body), digest)
    await place.write(ref.key, body)
    assert await code_of(place.payloads, ref) == "PAYLOAD_REFUSED"


async def test_there_is_a_limit(place: Place) -> None:
    """What is larger than a payload may be is not put there, and that is said."""
    with pytest.raises(PayloadError) as refused:
        await place.payloads.put({"letters": "x" * PAYLOAD_BYTES_MAX})
    assert (refused.value.code, refused.value.passes) == ("PAYLOAD_TOO_LARGE", False)
    assert await place.keys() == []


async def test_a_bucket_that_is_not_there_does_not_pass(s3: Any) -> None:
    """A wrong name is the operator's to mend; the message names the object that could not be put there."""
    payloads = S3Payloads(s3, bucket="not-there", prefix=PREFIX, connections=1)
    with pytest.raises(PayloadError, match=r"s3://not-there/jada/") as refused:
        await payloads.put({"a": 1})
    assert (refused.value.code, refused.value.passes) == ("PAYLOAD_UNREACHABLE", False)


async def test_nobody_there_may_pass(s3: Any) -> None:
    """A service that does not answer may answer later."""
    creating: Any = get_session().create_client
    async with creating(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    ) as nobody:
        payloads = S3Payloads(nobody, bucket=BUCKET, prefix=PREFIX, connections=1)
        with pytest.raises(PayloadError) as refused:
            await payloads.put({"a": 1})
    assert (refused.value.code, refused.value.passes) == ("PAYLOAD_UNREACHABLE", True)
