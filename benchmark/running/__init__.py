"""Running a plan: order, workers, devices, isolation, progress, Ray."""
