"""The engine: grades any notebook. Nothing in it is specific to one lesson."""
