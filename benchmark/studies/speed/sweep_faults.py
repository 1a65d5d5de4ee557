"""The faults that a sweep survives, each with the test that shows it."""

TESTS, ISOLATION = "tests/benchmark", "running/test_isolation.py"
"""Folder of the tests, and the file in it with those of generators."""
ONE = "test_a_generator_that_goes_wrong_costs_its_own_cell[{}]"
ENDLESS = "test_a_generator_that_does_not_end_costs_its_own_cell[{}]"
STAY = "test_children_that_stay_are_ended_with_their_cell"
PATCH = "test_what_a_foreign_generator_does_to_its_process_spoils_no_other_cell"
FAULTS: tuple[tuple[str, str, str], ...] = (
    ("raises", "failed", ONE.format("raise")),
    ("calls `sys.exit`", "failed", ONE.format("sys-exit")),
    ("calls `os._exit`", "failed", ONE.format("exit")),
    ("segfaults", "failed", ONE.format("segfault")),
    ("hangs with every signal blocked", "timeout", ENDLESS.format("hang")),
    ("allocates without limit", "out of memory", ENDLESS.format("allocate")),
    ("returns NaN", "diverged", ONE.format("nan")),
    ("returns samples of the wrong shape", "failed", ONE.format("shape")),
    ("returns wrong gene names", "failed", ONE.format("genes")),
    ("returns too few samples", "failed", ONE.format("few")),
    ("returns no `Samples`", "failed", ONE.format("type")),
    ("writes to its inputs", "failed", ONE.format("write")),
    ("leaves child processes behind and succeeds", "ok, with a warning", STAY),
    ("leaves child processes behind and dies", "failed", ONE.format("orphans")),
    ("prints a gigabyte", "failed", ONE.format("print")),
    ("writes into the pipe that the worker speaks through", "failed", ONE.format("no-message")),
    ("limits the size of files", "failed", ONE.format("file-limit")),
    ("fills a place of its own", "failed", ONE.format("full-elsewhere")),
    ("fails with half a character in its words", "failed", ONE.format("half-character")),
    ("changes torch in its process", "ok", PATCH),
    ("reports that it cannot work on the cohort", "unavailable", ONE.format("unavailable")),
    ("cannot be imported", "skipped", "test_a_broken_plug_in_is_skipped_with_its_reason"),
)
"""What a generator does, the state of its cell, and the test in `ISOLATION`."""

DISTURBANCES: tuple[tuple[str, str, str], ...] = (
    (
        "kill −9 at 3 random moments (20 in the slow tests)",
        "the same table, byte for byte",
        "test_cli.py::test_killed_at_any_moment_the_same_command_gives_the_same_table",
    ),
    (
        "Ctrl-C",
        "the running trainings and scorings finish; resumable",
        "test_cli.py::test_an_interrupt_lets_running_cells_end_and_resumes",
    ),
    (
        "Ctrl-C twice",
        "stops at once; resumable",
        "test_cli.py::test_a_second_interrupt_ends_the_sweep_at_once_and_it_resumes",
    ),
    (
        "a file system that fills up",
        "one message, exit code 1, every entry readable; resumable",
        "test_store_cap.py::test_a_full_disk_is_a_clear_error_and_the_same_command_resumes",
    ),
    (
        "a limit on file size",
        "one message, exit code 1, every entry readable",
        "test_store_cap.py::test_a_limit_on_files_is_a_clear_error",
    ),
    (
        "another sweep on the same store",
        "both end with the same records",
        "test_store_cap.py::test_two_processes_on_one_store_do_not_collide",
    ),
    (
        "a corrupt entry in its store",
        "treated as missing, reported and recomputed",
        "test_runner.py::test_corrupt_rows_are_trained_again_and_reported",
    ),
    (
        "a killed node of its Ray cluster",
        "the same table as with one worker and with four",
        "test_ray.py::test_one_worker_four_workers_and_a_cluster_that_loses_a_node_give_the_same_table",
    ),
)
"""What is done to a sweep from outside, what comes of it, and the test."""
