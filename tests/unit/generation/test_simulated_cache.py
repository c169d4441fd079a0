"""What the simulated prefix cache finds again."""

from services.generation.simulated_cache import BLOCK, PrefixCache

IDS = tuple(range(1, 101))


def test_whole_blocks_are_found_again_and_the_last_token_never() -> None:
    cache = PrefixCache(1000)
    assert cache.found(IDS, "") == 0
    cache.keep(IDS, "")
    assert cache.found(IDS, "") == 96
    assert cache.found(IDS[:96], "") == 80
    assert cache.found((*IDS[:40], 999, *IDS[41:]), "") == 32
    assert cache.found((999, *IDS[1:]), "") == 0


def test_another_salt_finds_nothing() -> None:
    cache = PrefixCache(1000)
    cache.keep(IDS, "acme")
    assert cache.found(IDS, "other") == cache.found(IDS, "") == 0


def test_what_was_used_last_stays_and_beginnings_outlive_ends() -> None:
    cache = PrefixCache(8)
    cache.keep(IDS, "old")
    cache.keep(IDS, "new")
    assert cache.found(IDS, "new") == 96
    assert cache.found(IDS, "old") == 2 * BLOCK
    cache.keep(IDS[:48], "old")
    assert cache.found(IDS, "old") == 48


def test_without_blocks_nothing_is_kept() -> None:
    cache = PrefixCache(0)
    cache.keep(IDS, "")
    assert cache.found(IDS, "") == 0
