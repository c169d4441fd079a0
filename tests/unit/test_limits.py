"""What one process accepts at the door, no process behind it refuses for its size."""

from services.gateway.api.requests import AlignmentRequest
from services.gateway.config.settings import GatewaySettings
from services.generation.settings import GenerationSettings
from services.mutation import messages as mutation
from services.reward.settings import RewardSettings


def test_messages_and_characters_of_a_conversation() -> None:
    field = AlignmentRequest.model_json_schema()["properties"]["messages"]
    characters = GatewaySettings().max_conversation_characters
    for service in (GenerationSettings(), RewardSettings()):
        assert service.max_messages >= field["maxItems"]
        assert service.max_conversation_characters >= characters
    assert field["maxItems"] <= mutation.MAX_MESSAGES
    assert characters <= mutation.MAX_CONVERSATION_CHARS
