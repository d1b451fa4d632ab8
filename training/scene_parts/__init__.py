"""What the Scenes world is painted with: one file per idea, put together by `training.scenes`."""
