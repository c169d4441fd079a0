"""What a conversation demands of the form of its answer; see `reading`."""

from services.mutation.demands.compliance import imposed, keeps
from services.mutation.demands.kinds import Aspect, Demand, contradict
from services.mutation.demands.reading import Demands, kinds_of, languages_named, read

__all__ = ["Aspect", "Demand", "Demands", "contradict", "imposed", "keeps", "kinds_of", "languages_named", "read"]
