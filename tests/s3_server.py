"""A server that speaks S3 on a loopback port: moto's, with buckets in its memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: What the server takes from anybody; whoever finds it in a kernel, a record or a log has found a leak.
KEY, SECRET, SESSION = (
    "AKIANBPRTESTS0000000",
    "s3cr3t/nbpr+tests/0123456789abcdefABCDEF",
    "sessiontoken-nbpr-0123456789",
)


@dataclass(frozen=True)
class Server:
    """A running server: its address, and a client that looks into it past everything of ours."""

    url: str
    client: Any

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 finds it by, with credentials."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SESSION,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def put(self, key: str, data: bytes) -> str:
        """Put a file into the bucket `lab`; its address."""
        self.client.put_object(Bucket="lab", Key=key, Body=data)
        return f"s3://lab/{key}"

    def get(self, key: str) -> bytes:
        """The bytes of a file in the bucket `lab`."""
        data: bytes = self.client.get_object(Bucket="lab", Key=key)["Body"].read()
        return data

    def keys(self) -> list[str]:
        """The names in the bucket `lab`."""
        return sorted(each["Key"] for each in self.client.list_objects_v2(Bucket="lab").get("Contents", []))


@contextmanager
def serving() -> Iterator[Server]:
    """A server with an empty bucket `lab` while the block runs."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        client.create_bucket(Bucket="lab")
        yield Server(url, client)
    finally:
        server.stop()
