"""What an operator may set of an API key. Each term is declared once, here.

The stored key, the bodies of `/v1/keys` and the options of `darwin keys` are all made from the fields of `KeyTerms`.
"""

import re
import time
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from shared.errors import InvalidRequest
from shared.methods import METHODS
from shared.records.profiles import MAX_REFERENCE, split_reference
from shared.records.search import LEAST_DEADLINE_MS, MOST_DEADLINE_MS, DeclaredSetting, Setting
from shared.records.spending import NANOS, PERIODS, UNITS, Budget

Names = tuple[str, ...] | None
Limit = int | None
Money = float | None

MAX_NAMES, MAX_NAME = 100, 256
_MAX_NOTE = 200
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_TOKENS = 10**15
_MOST_MONEY = 1_000_000
_LAST_SECOND = 253_402_300_799
"""Of the year 9999, past which dates cannot be written."""


@dataclass(frozen=True, kw_only=True)
class KeyTerms:
    """The terms of an API key. What is None is not limited by the key."""

    note: Annotated[str, Setting("What the key is for, in a line.", most=_MAX_NOTE)] = ""
    expires_at: Annotated[float | None, Setting("When it expires, in Unix seconds.", 0, _LAST_SECOND)] = None
    models: Annotated[Names, Setting("The models that it may use, by the names that `GET /v1/models` lists.")] = None
    methods: Annotated[
        Names, Setting("The methods that may answer its searches, whichever model's name stands for them.")
    ] = None
    profiles: Annotated[
        Names, Setting("The reward profiles that its requests may name; without a name they get the default.")
    ] = None
    default_profile: Annotated[
        str, Setting("The reward profile of its requests that name none; empty: the deployment's.", most=MAX_REFERENCE)
    ] = ""
    requests_per_minute: Annotated[
        Limit, Setting("Searches started or cancelled, and calls for embeddings, within any minute.", 1, 10**9)
    ] = None
    max_active: Annotated[Limit, Setting("Searches queued or running at a time.", 1, 10**9)] = None
    max_concurrent: Annotated[Limit, Setting("Calls that one gateway answers at a time.", 1, 10**9)] = None
    max_streams: Annotated[Limit, Setting("Streamed answers that one gateway has open at a time.", 1, 10**9)] = None
    deadline_ms: Annotated[
        Limit,
        Setting("Milliseconds after which a search that names no deadline ends.", LEAST_DEADLINE_MS, MOST_DEADLINE_MS),
    ] = None
    tokens_per_hour: Annotated[
        Limit, Setting("Tokens that searches sample and embeddings read per hour (UTC).", 1, _MOST_TOKENS)
    ] = None
    tokens_per_day: Annotated[
        Limit, Setting("Tokens that searches sample and embeddings read per UTC day.", 1, _MOST_TOKENS)
    ] = None
    tokens_per_week: Annotated[
        Limit, Setting("Tokens that searches sample and embeddings read per week from Monday (UTC).", 1, _MOST_TOKENS)
    ] = None
    tokens_per_month: Annotated[
        Limit, Setting("Tokens that searches sample and embeddings read per calendar month (UTC).", 1, _MOST_TOKENS)
    ] = None
    money_per_hour: Annotated[
        Money, Setting("What searches, embeddings and trials may cost per hour (UTC).", 0, _MOST_MONEY)
    ] = None
    money_per_day: Annotated[
        Money, Setting("What searches, embeddings and trials may cost per UTC day.", 0, _MOST_MONEY)
    ] = None
    money_per_week: Annotated[
        Money,
        Setting("What searches, embeddings and trials may cost per week from Monday (UTC).", 0, _MOST_MONEY),
    ] = None
    money_per_month: Annotated[
        Money,
        Setting("What searches, embeddings and trials may cost per calendar month (UTC).", 0, _MOST_MONEY),
    ] = None
    weight: Annotated[
        Limit,
        Setting("Its share where more is asked for than workers can do, against other tenants' (default: 1).", 1, 1000),
    ] = None
    priority_over_tenants: Annotated[
        bool,
        Setting("Its searches of the service tier `priority` begin before other tenants' too, not only its own."),
    ] = False
    all_tenants: Annotated[bool, Setting("For operators: it may read every tenant's evolutions.")] = False
    manages_keys: Annotated[bool, Setting("For operators: it may make, change and revoke keys (`/v1/keys`).")] = False
    manages_profiles: Annotated[
        bool, Setting("For operators: it may push, promote and delete reward profiles (`/v1/profiles`).")
    ] = False
    own_profiles: Annotated[
        bool, Setting("It may push, promote and delete reward profiles that are its tenant's own.")
    ] = False

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets among the terms, those of the longest periods first."""
        found = []
        for period in PERIODS:
            for unit in UNITS:
                limit = getattr(self, f"{unit}_per_{period}")
                if limit is not None:
                    found.append(Budget(unit, period, limit if unit == "tokens" else round(limit * NANOS)))
        return tuple(found)

    def may_use(self, model: str, method: str | None) -> bool:
        """Whether the key may use a model by this known name, which stands for this method, or embeds (None)."""
        if self.models is not None and model not in self.models:
            return False
        return method is None or self.methods is None or method in self.methods


def declared_terms() -> tuple[DeclaredSetting, ...]:
    """Every term, in the order of declaration."""
    hints = get_type_hints(KeyTerms, include_extras=True)
    found = []
    for field in fields(KeyTerms):
        assert get_origin(hints[field.name]) is Annotated
        kind, setting = get_args(hints[field.name])
        found.append(DeclaredSetting(field.name, kind, field.default, setting))
    return tuple(found)


TERMS = {each.name: each for each in declared_terms()}
"""The terms by name."""


def check_terms(terms: dict[str, Any]) -> None:
    """Checks terms that are about to be set; their types are checked before.

    Raises:
        InvalidRequest: a value is not possible; names the term.
    """
    for name, value in terms.items():
        if value is None:
            continue
        if name == "note":
            _check_note(value)
        elif name == "default_profile":
            if value and split_reference(value) is None:
                raise InvalidRequest(f"{value!r} is no reward profile: write name, or name@version", field=name)
        elif TERMS[name].type == Names:
            _check_names(name, value)
        elif not isinstance(value, bool):
            _check_number(name, value)
    if (expires_at := terms.get("expires_at")) is not None and expires_at <= time.time():
        raise InvalidRequest("expires_at has passed: choose a later time, or revoke the key", field="expires_at")


def _check_note(note: str) -> None:
    if len(note) > _MAX_NOTE or not note.isprintable():
        raise InvalidRequest(f"a note is one line of at most {_MAX_NOTE} characters", field="note")


def _check_number(name: str, value: float) -> None:
    least, most = TERMS[name].setting.least, TERMS[name].setting.most
    assert least is not None
    assert most is not None
    if name.startswith("money"):
        if not 1 / NANOS <= value <= most:
            raise InvalidRequest(f"a budget of money is above 0 and at most {most}; leave it out for none", field=name)
    elif name == "deadline_ms" and not least <= value <= most:
        raise InvalidRequest(f"a deadline is {least} to {most} milliseconds; leave it out for none", field=name)
    elif value < least:
        raise InvalidRequest(f"a limit is at least {least}; leave it out for none", field=name)
    elif value > most:
        raise InvalidRequest(f"{name} is at most {most}", field=name)


def _check_names(name: str, names: tuple[str, ...]) -> None:
    if not 0 < len(names) <= MAX_NAMES:
        raise InvalidRequest(f"{name} holds 1 to {MAX_NAMES} names; leave it out to allow all", field=name)
    for each in names:
        if name == "methods" and each not in METHODS:
            raise InvalidRequest(f"{each!r} is no method: choose among {', '.join(METHODS)}", field=name)
        if name == "profiles" and not _PROFILE.fullmatch(each):
            raise InvalidRequest(f"{each!r} is no reward profile's name", field=name)
        if not 0 < len(each) <= MAX_NAME or not each.isprintable():
            raise InvalidRequest(f"a name in {name} is 1 to {MAX_NAME} printable characters", field=name)
