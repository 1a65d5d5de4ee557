from gexbench.benchmark.studies.cheats.command import main

main()
