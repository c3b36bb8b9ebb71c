"""The instance's own client of AWS Secrets Manager, which keeps what it read for some seconds."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import APIRouter, HTTPException

from rehearsal.app.shop import Shop

TTL_S = 2.0
SYNTHETIC = "golive/"
"""Only of secrets below this is anything told, to whoever asks the instance itself."""


class SecretClient:
    """Reads as the role that the platform gives the instance. Raises OSError and botocore's
    errors where it cannot."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = Lock()

    def value(self, name: str, ttl_s: float) -> str:
        with self._lock:
            at, value = self._kept.get(name, (0.0, ""))
            if value and time.monotonic() - at < ttl_s:
                return value
            value = self._read(name)
            self._kept[name] = time.monotonic(), value
            return value

    def _read(self, name: str) -> str:
        import boto3  # half a second, and most instances read no secret
        from botocore.config import Config

        given = json.loads(Path(os.environ["SECRETS_CREDENTIALS"]).read_text())
        manager: Any = boto3.client(
            "secretsmanager",
            region_name=os.environ.get("SECRETS_REGION", "us-east-1"),
            endpoint_url=given["endpoint"],
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            config=Config(connect_timeout=2, read_timeout=5, proxies={}),
        )
        return str(manager.get_secret_value(SecretId=name)["SecretString"])


def router(shop: Shop) -> APIRouter:
    """Tells the SHA-256 of a synthetic secret; the balancer hands no such request on."""
    made, client = APIRouter(include_in_schema=False), SecretClient()

    @made.get("/internal/secrets/{name:path}")
    def digest(name: str) -> dict[str, str]:
        if not name.startswith(SYNTHETIC):
            raise HTTPException(404)
        if shop.database.orders("secret_refused") == shop.settings.instance:
            raise HTTPException(502, "Secrets Manager cannot be reached")
        try:
            value = client.value(name, float(shop.database.orders("secret_ttl_s") or TTL_S))
        except Exception as error:  # noqa: BLE001 - whatever the SDK says, the caller is told
            raise HTTPException(502, f"{type(error).__name__}: {error}") from None
        return {"sha256": hashlib.sha256(value.encode()).hexdigest()}

    return made
