"""The engine: grades any notebook. It knows no task, no data set and no points of a particular lesson."""
