"""What an image is held to by `check-image`: the demands, and how the facts about it are come by."""
