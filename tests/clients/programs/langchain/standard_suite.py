"""LangChain's standard suite for chat models (`langchain-tests`), every test that does not skip itself."""

import os
import sys

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestServer(ChatModelIntegrationTests):
    """The client's class for OpenAI. The length is bounded because a small model may not come to an end."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, object]:
        return {"model": os.environ["MODEL"], "max_tokens": 128, "temperature": 0, "stream_usage": True}


class Counted:
    """Which tests passed and which failed, and what their calls were answered."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2].removeprefix("test_")
        if report.passed and report.when == "call":
            self.passed.append(name)
        elif report.failed:
            self.failed[name] = report.longreprtext


if __name__ == "__main__":
    counted = Counted()
    # Nothing of the tests around this file: it is one program of its client.
    alone = ("--noconftest", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider")
    # The client keeps its connections, and a connection belongs to the loop that it was made in.
    one_loop = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session")
    pytest.main([__file__, "-q", "-W", "ignore", *alone, *one_loop], plugins=[counted])
    refused = [name for name, text in counted.failed.items() if "BadRequestError" in text]
    others = [name for name in counted.failed if name not in refused]
    ran = len(counted.passed) + len(counted.failed)
    print(
        f"{len(counted.passed)} of {ran} pass; answered with 400: {', '.join(refused) or 'none'}; "
        f"failed otherwise: {', '.join(others) or 'none'}"
    )
    sys.exit(ran == 0 or bool(counted.failed))
