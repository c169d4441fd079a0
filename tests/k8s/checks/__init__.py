"""What is asked of manifests beyond that they render; each check yields what is wrong, a line each."""

from collections.abc import Callable, Iterator

from tests.k8s.checks import configuration, network, pods, references, scaling, schemas
from tests.k8s.objects import Objects

Check = Callable[[Objects], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    schemas.follow_their_schemas,
    schemas.triggers_are_known_to_keda,
    pods.quantities_parse,
    pods.resources_are_bounded,
    pods.security_is_restricted,
    pods.containers_are_probed,
    pods.probes_start_a_python_only_for_tls,
    pods.writes_only_where_it_may,
    pods.pods_spread_over_nodes_and_zones,
    pods.priorities_are_ordered,
    pods.only_redis_preempts,
    references.selectors_match_pods,
    references.services_reach_ports,
    references.monitors_reach_ports,
    references.mentioned_objects_exist,
    references.targets_exist,
    references.disruptions_are_limited_and_allowed,
    references.images_are_pinned_and_ours,
    configuration.settings_are_real,
    configuration.settings_are_accepted,
    configuration.ports_are_those_listened_on,
    configuration.all_speak_tls_or_none_does,
    configuration.nothing_is_cut_short,
    configuration.rollouts_keep_every_replica,
    configuration.secrets_are_referred_to,
    configuration.as_many_gpus_as_layers_are_spread_over,
    network.only_the_arrows_are_open,
    network.everything_else_is_denied,
    scaling.each_process_scales_by_its_own_signal,
    scaling.scaling_down_ends_no_work,
    scaling.nothing_known_stops_nothing,
    scaling.the_queue_is_the_one_workers_read,
    scaling.full_replicas_call_for_more,
)
