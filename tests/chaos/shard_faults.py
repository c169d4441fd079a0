"""What can happen to a server that some of the shards lie on."""

import time

from tests.chaos.scene import Scene

_AWAY_S = 10.0


def first_killed(scene: Scene) -> float:
    """The server of the first shard, which has all that is no evolution too, is killed and comes back."""
    return _killed(scene, scene.storage.port_of(scene.shards[0]))


def other_killed(scene: Scene) -> float:
    """A server that has not the first shard, and no replica, is killed and comes back."""
    kept = {scene.storage.port_of(scene.shards[0]), scene.storage.followed()}
    return _killed(scene, next(port for port in map(scene.storage.port_of, scene.shards) if port not in kept))


def failed_over(scene: Scene) -> float:
    """A primary is killed and stays away; its replica takes over."""
    port = scene.storage.followed()
    if port is None:
        raise TimeoutError("no primary has a replica")
    scene.struck = scene.storage.shards_on(port)
    scene.storage.kill(port)
    died = time.time()
    for number in scene.struck:
        scene.storage.await_promoted(number, port)
    return died


def _killed(scene: Scene, port: int) -> float:
    """Meanwhile each evolution of the other shards moves on."""
    scene.struck = scene.storage.shards_on(port)
    before = {evolution_id: scene.version(evolution_id) for evolution_id in scene.unfinished(but=scene.struck)}
    if not before:
        raise TimeoutError("all evolutions are on the shards that a fault strikes")
    scene.storage.kill(port)
    back_at = time.time() + _AWAY_S
    while waiting := [one for one in scene.unfinished(but=scene.struck) if scene.version(one) == before.get(one)]:
        if time.time() > back_at:
            raise TimeoutError(f"{len(waiting)} of {len(before)} evolutions of other shards did not move on meanwhile")
        time.sleep(0.05)
    time.sleep(max(0.0, back_at - time.time()))
    scene.storage.repair()
    return time.time()
