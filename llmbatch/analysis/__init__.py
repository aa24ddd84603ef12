"""Label quality: gold labels, metrics, calibration and thresholds, as pure functions and frozen results.

The statistics come from scipy and scikit-learn (the extra `eval`), which are imported inside the functions that need
them. Works on rows, labels and confidences; independent of run folders.
"""
