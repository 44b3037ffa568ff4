"""The contracts of upstream's tables as files: what the shipped ones say, and what is told of a wrong one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oncall.config import oncall_config
from oncall.config.data_contracts import load_data_contracts
from oncall.config.runbook_file import MASTER_TABLES
from oncall.core.errors import ConfigError

INCLUDE = Path(__file__).resolve().parents[2] / "include"
FILE = "contracts/master.odcs.yaml"
ONE_OF = "quality: [{metric: invalidValues, arguments: {validValues: %s}, mustBe: 0}]"


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """A copy of the shipped include folder."""
    shutil.copytree(INCLUDE, tmp_path / "include")
    return tmp_path / "include"


def problems(include: Path, old: str, new: str) -> list[str]:
    """What `check` says when the contract's text is changed so."""
    text = (include / FILE).read_text(encoding="utf-8")
    assert old in text
    (include / FILE).write_text(text.replace(old, new, 1), encoding="utf-8")
    return [str(problem) for problem in oncall_config.check(include)]


def test_the_shipped_contracts_cover_every_upstream_table() -> None:
    """Each has a key, an owner and a volume; only the assortment has no day."""
    tables = load_data_contracts(INCLUDE).tables
    assert set(tables) == {f"master.{name}" for name in MASTER_TABLES}
    for contract in tables.values():
        assert contract.key
        assert (contract.owner, contract.channel) == ("Software Engineer Team", "#swe-master-data")
    assert [name for name, contract in tables.items() if contract.business_day is None] == ["master.products"]
    assert oncall_config.check(INCLUDE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema:\n", "schema:\n  - [", "YAML that parses"),
        ("logicalType: integer", "logicalType: whole", "logicalType: found whole; write one of string, integer"),
        ("{minimum: 0, maximum: 1000000000}", "{minimum: nought}", "found 'nought'; write a bound for a number"),
        ("{minimum: 1, maximum: 100000}", "{atLeast: 1}", "an option nobody checks"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'(('", "write a regular expression"),
        ("value: ordered_at", "value: odered_at", "found odered_at; write one of order_id, customer_id"),
        ("to: customers.customer_id", "to: people.id", "master.people.id, which no contract has"),
        ("metric: invalidValues", "metric: freshness", "found freshness; write metric: invalidValues"),
        ("select count(*) from {object} as refund", "select max(x) from {object}", "select count(*) from {object}"),
        ("value: 75, unit: percent, element: orders", "value: most, element: orders", "a percentage from 1 to 100"),
        ("product_id, logicalType: integer, primaryKey: true,", "product_id, logicalType: integer,", "no primaryKey"),
        ("name: Software Engineer Team", "name: Platform Team", "as the contract of master.orders says"),
        ("kind: DataContract", "kind: DataContract\nowner: me", "owner: found an unknown key; write a key of the Open"),
        ("kind: DataContract", "kind: 7", "kind: found 7; write a text in quotes, as the standard wants it"),
        ("required: true", "required: maybe", "found 'maybe'; write true or false, as the standard wants it"),
        ("value: 75, unit: percent, element: orders", "value: 0.75, element: orders", "found 0.75; write a percentage"),
        ("&currency USD", "&currency", "currency: found nothing; write the code of one currency"),
        (", schema: master}", "}", "write a server with the schema of the tables"),
        ("&currency USD", "&currency dollars", "currency: found 'dollars'; write the code of one currency (ISO 4217)"),
        ("[*currency]", "[*currency, EUR]", "found USD, EUR; write required: true and validValues: [USD]"),
        ("bundles: {control: control", "bundles: {control: grey", "found grey; write one of control, bundles"),
        ("readBack, value: 7", "readBack, value: -7", "found -7; write a number of days from 0 to 366, or all"),
        ("value: [order_lines]", "value: [lines]", "emptyWith: master.lines; write a table that has a contract"),
        ("value: [order_lines]", "value: yes", "emptyWith: found yes; write a list of tables, such as [orders]"),
        ("readBack, value: 7", "readBack, value: week", "readBack: found week; write a number of days from 0"),
        ("bundles: 50}}", "bundles: 0}}", "checkout_bundles.shares.bundles: found 0; write a number above 0"),
        ("bundles: 50}}", f"bundles: {'9' * 400}}}}}", "found 999999999999999999999999999999; write a number above 0"),
        ("bundles: 50}}", "bundles: 1e-300}}", "found 1e-300; write a number above 0"),
        ("bundles: 50}}", '"b\\0": 50}}', "found a control character, or one that nobody sees; write plain text"),
        ("value: &currency USD", 'value: &currency "US\\u202eD"', "found a control character"),
        ("control: 50,", "control: 50, control: 50,", "(file): found control again, line 2"),
        ("kind: DataContract", "kind: DataContract\nkind: DataContract", "write each key once"),
        ("kind: DataContract", "kind: DataContract\n2026-01-01: x", "write what the Open Data Contract Standard"),
        ("kind: DataContract", "<<<<<<< HEAD\nkind: DataContract\n>>>>>>> x", "(file): found a merge conflict"),
        ("bundles: 50}}", "bundles: .inf}}", "shares.bundles: found inf; write a number above 0"),
        ("shares: {control: 50, bundles: 50}", "shares: 50", "found 50; write a number for each variant"),
        ("checkout_bundles: {control: control,", "checkout_bundles: {base: control,", "write control and shares"),
        ("checkout_bundles: {", "7: {", "experiments.7: found 7; write a name as upstream writes it, in quotes"),
        ("{property: control, value: control}", "{property: control, value: [a]}", "control: found ['a']"),
        ("property: businessDay, value: ordered_at", "property: control, value: grey", "write them at the table"),
        ("property: businessDay, value: ordered_at", "property: businesDay, value: ordered_at", "write businessDay"),
        ("readBack, value: 7", "readback, value: 7", "customProperties[1].property: found readback; write readBack"),
        ("property: optional", "property: optionl", "found optionl; write optional"),
        ("property: completeness", "property: Completeness", "found Completeness; write completeness"),
        ("element: orders}", "element: ordres}", "slaProperties[4].element: found ordres; write orders"),
        ("element: orders}", "element: payments}", "found payments; write some of customers, products, orders,"),
        ("percent, element: orders}", "percent}", "slaProperties[4].element: found nothing; write some of customers"),
        ("logicalType: string", 'logicalType: ""', "schema[0].properties["),
        ("primaryKey: true", "priamryKey: true", "priamryKey: found an unknown key; write primaryKey: …"),
        ("logicalTypeOptions: {min", "logicalTypOptions: {min", "found an unknown key; write logicalTypeOptions: …"),
        ("required: true", "required:true", "required:true: found an unknown key; write required: … where that"),
        ("line.unit_price", "line.unit_price;", "quality[0].query: found ';'; write one condition in SQL"),
        ("line.unit_price", "(line.unit_price", "query: found brackets that do not match; write one condition"),
        ("> line.quantity", "> 0) or (line.quantity > 0", "query: found brackets that do not match"),
        ("> line.quantity", "> 0 -- line.quantity", "query: found '--'; write one condition in SQL"),
        ("where line.discount >", "where ';)--' <> 'it''s' or line.line_no = '", "found a quote without its end"),
        ("readAlong, value: \"d.status = 'cancelled'\"", 'readAlong, value: "true);"', "readAlong: found ';'; write"),
        ("unless, value: \"d.status = 'cancelled'\"", 'unless, value: "(true"', "unless: found brackets that"),
        ("readAlong, value: \"d.status = 'cancelled'\"", "readAlong, value: [a]", "found ['a']; write one condition"),
        ("minimum: 0, max", "minimum: .nan, max", "minimum: found nan; write a bound for a number"),
        ("maximum: 1000000000}", "maximum: .inf}", "maximum: found inf; write a bound for a number"),
        ("{property: completeness", "{property:completeness", "found an unknown key; write property: …"),
        ('minimum: "1990-01-01T00:00:00Z"', 'minimum: "1990-01-01T00:0000Z"', "write a bound for a timestamp"),
        ("readWhenChanged, value: true", "readWhenChanged, value: yes", "found 'yes'; write true or false"),
        ("optional, value: true", 'optional, value: "true"', "optional: found 'true'; write true or false"),
        ("logicalType: string", 'logicalType: ""', "logicalType: found nothing; write one of string"),
        ("as line where line.", "as order where order.", "query: found as order; write a name that is no word of SQL"),
        ("as line where line.", "as Window where window.", "query: found as Window; write a name that is no word"),
        ("as line where line.", "day where day.", "query: found as day; write a name that is no word of SQL"),
        ("{minimum: 1, maximum: 100000}", "{minimum: 10, maximum: 1}", "found minimum 10 above maximum 1; write"),
        ("{minimum: 1, maximum: 100000}", "{minimum: 1.2, maximum: 1.7}", "found no whole number from 1.2 to 1.7"),
        ('minimum: "1990-01-01T00:00:00Z"', "minimum: 2027-01-01, maximum: '2026-01-01T00:00:00Z'", "above maximum"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'\\bwords\\b'", "pattern: found \\b; write a regular expression of"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'^(?P<a>.)$'", "pattern: found (?P; write a regular expression of"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'^[a-z]{1,500}$'", "pattern: found {1,500; write a regular"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'^(?i:ab)$'", "pattern: found (?i:; write a regular expression"),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", "'^a++$'", "pattern: found ++; write a regular expression"),
        ("[completed, paid, cancelled]", "[completed, paid, true]", "validValues: found True; write a text in quotes"),
        ("[completed, paid, cancelled]", "[]", "found invalidValues; write metric: invalidValues with"),
        ("logicalTypeOptions: {minimum: 1, maximum: 100000}", ONE_OF % "[few, 5]", "validValues: found few; write"),
        ("{minimum: 1, maximum: 100000}", "{minimum: 1, maximum: 3}, " + ONE_OF % "[4]", "validValues: found 4; write"),
        ('logicalTypeOptions: {minimum: "1990-01-01T00:00:00Z"}', ONE_OF % "[2026-01-01]", "write minimum and maximum"),
    ],
)  # fmt: skip
def test_a_wrong_contract_is_told_with_file_key_and_what_to_write(
    include: Path, old: str, new: str, said: str
) -> None:
    """By the same command as everything else of the folder; the roster stays in force."""
    found = problems(include, old, new)
    assert any(said in problem for problem in found), found
    assert oncall_config.load(include).pipelines


def test_what_others_add_to_a_contract_is_no_misspelling(include: Path) -> None:
    """The standard lets them: for a tool of theirs, or a catalogue."""
    assert problems(include, "property: readAlong", "property: dataSteward") == []


def test_a_runbook_that_reads_a_table_without_contract_is_told(include: Path) -> None:
    """Its list of tables and the contracts must fit."""
    found = problems(
        include,
        "  - name: touches\n    physicalName: touches",
        "  - name: touches\n    physicalName: touched",
    )
    assert any("runbooks/profit_etl.md: upstream: found master.touches" in problem for problem in found), (
        found
    )


@pytest.mark.parametrize(
    ("runbook", "was", "now", "found"),
    [
        ("profit_etl", "master.refunds, ", "", "master.refunds, which sql/profit_etl/10_base.sql reads"),
        ("profit_etl", "master.refunds, ", "base.growth, ", "master.refunds, which sql/profit_etl/10_base.sql"),
        ("unit_profit_experiments", "base.profit", "base.growth", "base.profit, which sql/unit_profit_experiments/10"),
        ("daily_growth_experiments", "master.experiment_assignments, ", "", "master.experiment_assignments, which"),
        ("growth_etl", "master.customers", "base.engagement", ""),  # which waits for it in its turn
    ],
)  # fmt: skip
def test_what_the_sql_reads_has_to_be_waited_for(
    include: Path, runbook: str, was: str, now: str, found: str
) -> None:
    """What came late was left out of the numbers, and they were published."""
    path = include / "runbooks" / f"{runbook}.md"
    path.write_text(path.read_text(encoding="utf-8").replace(was, now, 1), encoding="utf-8")
    problems = [str(problem) for problem in oncall_config.check(include)]
    told = f"runbooks/{runbook}.md: upstream: found no {found}"
    assert len(problems) == bool(found)
    assert all(problem.startswith(told) and "so that a run waits for it" in problem for problem in problems)


@pytest.mark.parametrize(
    "written", ["Master.ORDERS", '"master"."orders"', "warehouse.master.orders", 'master."orders"']
)
def test_however_a_table_is_written_in_the_sql_it_is_read(include: Path, written: str) -> None:
    """To PostgreSQL it is the same table."""
    with (include / "sql/growth_etl/10_base.sql").open("a", encoding="utf-8") as file:
        file.write(f"select 1 from {written};\n")
    (problem,) = oncall_config.check(include)
    assert problem.found == "no master.orders, which sql/growth_etl/10_base.sql reads"


@pytest.mark.parametrize("comment", ["-- unlike master.orders", "/* unlike\nmaster.orders\n*/"])
def test_what_a_comment_of_the_sql_names_is_not_read(include: Path, comment: str) -> None:
    with (include / "sql/growth_etl/10_base.sql").open("a", encoding="utf-8") as file:
        file.write(f"{comment}\n")
    assert oncall_config.check(include) == []


def test_all_money_is_in_the_contracts_currency(include: Path) -> None:
    """Another one than the shipped one is one word in the file; two files cannot name two."""
    text = (include / FILE).read_text(encoding="utf-8")
    (include / FILE).write_text(text.replace("&currency USD", "&currency VND"), encoding="utf-8")
    contracts = load_data_contracts(include)
    assert contracts.currency == "VND"
    of_money = [contract for contract in contracts.tables.values() if "currency" in contract.by_name]
    assert [contract.by_name["currency"].accepted for contract in of_money] == [("VND",)] * 5
    (include / "contracts" / "other.yaml").write_text(text.partition("\nschema:")[0] + "\nschema: []\n")
    assert any("currency: found USD; write VND" in str(problem) for problem in oncall_config.check(include))


def test_a_folder_without_contracts_takes_the_repositorys(include: Path) -> None:
    """As it does with the SQL; a wrong one raises every problem at once."""
    shutil.rmtree(include / "contracts")
    assert load_data_contracts(include).tables
    (include / "contracts").mkdir()
    (include / "contracts" / "a.yaml").write_text("[]")
    with pytest.raises(ConfigError, match="no mapping"):
        load_data_contracts(include)
