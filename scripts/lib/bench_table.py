"""The tables of scripts/bench.

bench_table.py runs FOLDER ROWS   prints a table of the reports `wallet bench --json` wrote into FOLDER; ROWS a second
                                  is what yardstick.sql found
bench_table.py nats VERSION       reads nats-server's /jsz from standard input and prints its durability settings
"""

import json
import pathlib
import sys

RUNS = {
    "uniform": "uniform, saturated",
    "hot": "90 % on one wallet, saturated",
    "steady": "uniform, 2,000 a second",
    "batch": "batches of 1,000",
    "batch-post": "batches of 1,000, completed at once",
    "transfers": "between wallets, 4 lanes, 2 apis",
    "uniform-single": "uniform, one transaction per request",
    "hot-single": "hot, one transaction per request",
}


# The runs whose cost of the hash chain is told: an operation is dearest in the first and cheapest in the last.
CHAINED = ("uniform", "transfers", "batch", "batch-post")


def print_runs(folder: pathlib.Path, yardstick: float) -> None:
    reports = {}
    for name in RUNS:
        file = folder / f"{name}.json"
        if file.exists():
            reports[name] = json.loads(file.read_text())
    print()
    print(f"{'run':38}{'accepted/s':>12}{'projected/s':>13}{'p50 ms':>9}{'p99 ms':>9}{'p99.9 ms':>10}  books")
    for name, report in reports.items():
        latency = report["latency_ms"]["all"]
        print(
            f"{RUNS[name]:38}{report['accepted_per_second']:>12,.0f}{report['projected_per_second']:>13,.0f}"
            f"{latency['p50']:>9.2f}{latency['p99']:>9.2f}{latency['p99.9']:>10.2f}"
            f"  {'balance' if report['passed'] else 'DO NOT BALANCE'}"
        )
    print()
    for name, report in reports.items():
        chain = report.get("hash_chain")
        if chain and name in CHAINED:
            cpu = sum(report["cpu_us_per_operation"].values())
            print(
                f"hash chain, {RUNS[name]}: {chain['us_per_entry']:.2f} us an entry,"
                f" {chain['cpu_percent']:.1f} % of the {cpu:.0f} us of api and database CPU for an operation"
            )
    print()
    for name in ("uniform", "hot"):
        single = reports.get(f"{name}-single", {}).get("accepted_per_second")
        if name in reports and single:
            ratio = reports[name]["accepted_per_second"] / single
            print(f"{name}: {ratio:.1f} times the throughput of one transaction per request")
    print()
    print(f"yardstick: PostgreSQL alone appends {yardstick:,.0f} rows a second here (scripts/lib/yardstick.sql)")
    for name in ("uniform", "hot", "batch"):
        if name in reports:
            ratio = reports[name]["accepted_per_second"] / yardstick
            print(f"{RUNS[name]}: {ratio:.2f} operations for each of these rows")


def print_nats(version: str) -> None:
    state = json.load(sys.stdin)
    config = state.get("config", {})
    sync = "always" if config.get("sync_always") else config.get("sync_interval")
    if isinstance(sync, int):
        sync = f"{sync / 1e9:g} s"
    print(f"version={version.rpartition('v')[2]} sync_interval={sync}", end="")
    for account in state.get("account_details", []):
        for stream in account.get("stream_detail", []):
            settings = stream.get("config", {})
            storage, replicas = settings.get("storage"), settings.get("num_replicas")
            print(f" {stream['name']}: storage={storage} replicas={replicas}", end="")
    print()


if __name__ == "__main__":
    if sys.argv[1] == "runs":
        print_runs(pathlib.Path(sys.argv[2]), float(sys.argv[3]))
    else:
        print_nats(sys.argv[2])
