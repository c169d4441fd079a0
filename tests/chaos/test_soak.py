"""What evolutions leave behind."""

import asyncio
import time

import redis

from bench.soak import CONSTANT, drive, kinds, settings
from cli.stack import Stack


def test_no_key_outlives_its_record() -> None:
    with Stack(settings(ttl_s=12)) as stack, redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        ended = asyncio.run(drive(stack.url, 100))
        assert ended.total() == 100
        assert not ended["failed"]
        give_up = time.monotonic() + 60
        while left := kinds(client).keys() - CONSTANT:
            assert time.monotonic() < give_up, left
            time.sleep(0.2)
        assert client.zcard("darwin:waiting:virtual") == 1
        assert client.hlen("darwin:waiting:usual") == 2
