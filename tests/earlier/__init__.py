"""What earlier versions of estimator_slim published."""
