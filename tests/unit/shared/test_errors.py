import grpc
import pytest

from shared import errors
from shared.rpc import channel


@pytest.mark.parametrize("error", errors.leaves(), ids=lambda error: error.__name__)
def test_every_error_has_a_status_and_survives_the_wire(error: type[errors.DarwinError]) -> None:
    status = channel.to_status(error("no such thing", field="messages"))
    assert grpc.StatusCode[error.grpc_status].value[0] == status.code
    assert 400 <= error.http_status < 600
    assert channel._BY_STATUS[error.grpc_status] is error


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK], ids=lambda c: c.name)
def test_every_grpc_status_is_one_of_our_errors(code: grpc.StatusCode) -> None:
    assert (channel._BY_STATUS.get(code.name) or channel._FOREIGN_STATUS.get(code.name)) is not None


def test_statuses_are_distinct() -> None:
    assert len({error.grpc_status for error in errors.leaves()}) == len(errors.leaves())
