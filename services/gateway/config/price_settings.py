"""The settings of the gateway that are about what tokens cost: in money, for budgets, and in reward, for searches."""

import json
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

from services.gateway.config.model_entry import PROFILE_PATTERN
from services.gateway.config.place_settings import PlaceSettings
from shared.records.profiles import name_of
from shared.records.search import declared_settings
from shared.records.spending import Prices

_PER_SEARCH = next(each.setting for each in declared_settings() if each.name == "token_price")

Price = Annotated[float | None, Field(ge=0, allow_inf_nan=False)]
_Profile = Annotated[str, StringConstraints(pattern=PROFILE_PATTERN)]
_TokenPrice = Annotated[float, Field(ge=_PER_SEARCH.least, le=_PER_SEARCH.most, allow_inf_nan=False)]


class PriceSettings(PlaceSettings):
    """What tokens cost."""

    price_prompt: Price = Field(default=None, description="of a million tokens of conversations, in any currency")
    price_mutation: Price = Field(default=None, description="of a million tokens sampled to rewrite instructions")
    price_generation: Price = Field(default=None, description="of a million tokens sampled for responses")
    price_reward: Price = Field(default=None, description="of a million tokens that reward models compute")
    price_embedding: Price = Field(default=None, description="of a million tokens of texts that are embedded")
    token_prices: Annotated[dict[_Profile, _TokenPrice], NoDecode] = Field(
        default_factory=dict,
        description="darwin.token_price of searches of several cycles that name none, as a JSON object of reward "
        'profile -> price; "" is for those under the default, which neither the request nor its key names',
    )

    @property
    def prices(self) -> Prices:
        """What a million tokens cost, by stage."""
        return Prices(
            self.price_prompt, self.price_mutation, self.price_generation, self.price_reward, self.price_embedding
        )

    def token_price(self, named: str, used: str) -> float | None:
        """What a thousand tokens cost in the reward of the profile that is `used`, a reference; `named` is how it is
        chosen, empty where the deployment's default is. None where it has no price.
        """
        return self.token_prices.get(name_of(used), None if named else self.token_prices.get(""))

    @field_validator("token_prices", mode="before")
    @classmethod
    def _read(cls, prices: Any) -> Any:
        if not isinstance(prices, str):
            return prices
        try:
            return json.loads(prices or "{}")
        except ValueError as error:
            raise ValueError(f"it must be a JSON object of profiles and prices: {error}") from None
