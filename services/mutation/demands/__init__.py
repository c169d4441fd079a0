"""What a conversation demands of the form of its answer; see `reading`."""

from services.mutation.demands.compliance import keeps
from services.mutation.demands.kinds import Aspect, Demand, contradict
from services.mutation.demands.reading import Demands, kinds_of, read

__all__ = ["Aspect", "Demand", "Demands", "contradict", "keeps", "kinds_of", "read"]
