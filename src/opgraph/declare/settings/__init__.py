"""What differs from run to run or from place to place: configuration, environment variables, resources."""
