"""A kind of contract that import-linter has not: what a package may import, named in full (see `.importlinter`)."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """The modules of `package` import, directly and indirectly, nothing but each other and what is `allowed`."""

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Lists each import that leads out of what is allowed, where it does."""
        inside = {self.package, *graph.find_descendants(self.package)}
        allowed = inside | self.allowed
        broken = [
            f"{importer} imports {imported}"
            for importer in sorted(module for module in allowed if module in graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer) - allowed)
            if not graph.is_module_squashed(importer)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)
