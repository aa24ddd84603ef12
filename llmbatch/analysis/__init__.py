"""Are the labels right? Gold labels, figures, calibration and thresholds: pure functions and frozen results.

The statistics come from scipy and scikit-learn (the extra `eval`), which are imported inside the functions that need
them. Knows rows, labels and confidences; of run folders it knows nothing.
"""
