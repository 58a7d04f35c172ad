"""Turn a Python class into a machine-learning backend for Label Studio."""

package_name = "label-studio-ml"
__version__ = "3.0.0.dev0"
