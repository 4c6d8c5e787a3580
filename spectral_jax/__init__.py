"""Foundation models for hyperspectral and multi-sensor Earth observation, in JAX."""
