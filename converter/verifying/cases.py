"""The result of lt-verify as test cases."""

from converter.proof.section import proof_cases
from converter.report.junit import Case, case
from converter.verifying.result import VerifyResult


def cases_of(result: VerifyResult) -> list[Case]:
    """A case for every comparison and every check; whatever else failed is one more, so that no problem is lost."""
    report, checks = result.verification.report, result.checks
    cases = proof_cases(report.checks)
    cases += [case("checks", key, bool(check), check.failure()) for key, check in checks.items()]
    files = list(map(str, result.files))
    if result.subject.manifest:
        cases.append(case("checks", "files", not files, "; ".join(files)))
    shown = {report.failure(), *files, *(check.failure() for check in checks.values() if not check)}
    others = [problem for problem in result.problems if problem not in shown]
    if others:
        cases.append(case("run", "complete", False, "; ".join(others)))
    return cases
