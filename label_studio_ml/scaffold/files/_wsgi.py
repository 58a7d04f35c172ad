"""The server as an object: `python _wsgi.py`, `uvicorn _wsgi:app` and `gunicorn _wsgi:app` all serve it."""

from model import NewModel

from label_studio_ml.api import init_app

app = init_app(model_class=NewModel)

if __name__ == "__main__":
    app.run()
