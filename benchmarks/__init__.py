"""The benchmark: measure.py takes times, stage.py sets up, rows.py says what is compared, report.py writes it down."""
