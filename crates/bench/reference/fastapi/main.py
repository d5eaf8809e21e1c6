"""The stack of the seed specification, as its documentation would have it: FastAPI, SQLModel, psycopg2, python-jose.

Works on the table of the product, so that the database does the same for both.
"""

import os
import secrets
import time
import uuid
from datetime import datetime, timezone
from typing import Annotated, Literal

import psycopg2
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from pydantic import ConfigDict
from sqlmodel import Field, Session, SQLModel, create_engine, select

DATABASE_URL = os.environ["DATABASE_URL"]
SECRET = os.environ["BETTER_AUTH_SECRET"]

# A connection for each of the 40 threads that FastAPI runs handlers on. With fewer, also with the default of 15, they block one
# another at 100 callers: each thread waits for a connection, and those that have one wait for a thread to give it back.
# Without `creator` SQLAlchemy would have to translate the URL of a socket.
engine = create_engine(
    "postgresql+psycopg2://",
    creator=lambda: psycopg2.connect(DATABASE_URL),
    pool_size=40,
    max_overflow=0,
)

Status = Literal["pending", "in_progress", "completed"]


class TaskCreate(SQLModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=10_000)
    status: Status = "pending"


class TaskUpdate(SQLModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(default=None, min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=10_000)
    status: Status = None


class Task(SQLModel, table=True):
    __tablename__ = "tasks"

    user_id: str = Field(primary_key=True)
    id: uuid.UUID = Field(primary_key=True)
    title: str
    description: str | None = None
    status: str
    version: int = 1
    created_at: datetime
    updated_at: datetime


def new_id(milliseconds: int) -> uuid.UUID:
    chance = secrets.randbits(74)
    return uuid.UUID(
        int=milliseconds << 80 | 7 << 76 | chance >> 62 << 64 | 2 << 62 | chance & (1 << 62) - 1
    )


def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> str:
    try:
        return jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])["user_id"]
    except (AttributeError, JWTError, KeyError):
        raise HTTPException(status_code=401, detail="Could not validate credentials") from None


def database():
    with Session(engine) as session:
        yield session


User = Annotated[str, Depends(current_user)]
Database = Annotated[Session, Depends(database)]

app = FastAPI()


def task_of(user: str, task_id: uuid.UUID, session: Session) -> Task:
    task = session.exec(select(Task).where(Task.user_id == user, Task.id == task_id)).first()
    if task is None:
        raise HTTPException(status_code=404, detail="Task not found")
    return task


@app.post("/api/tasks", status_code=201, response_model=Task)
def create_task(body: TaskCreate, user: User, session: Database):
    milliseconds = time.time_ns() // 1_000_000
    now = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    task = Task(user_id=user, id=new_id(milliseconds), created_at=now, updated_at=now, **body.model_dump())
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.get("/api/tasks", response_model=list[Task])
def list_tasks(user: User, session: Database, limit: Annotated[int, Query(ge=1, le=500)] = 100):
    statement = select(Task).where(Task.user_id == user).order_by(Task.id.desc()).limit(limit)
    return session.exec(statement).all()


@app.get("/api/tasks/{task_id}", response_model=Task)
def get_task(task_id: uuid.UUID, user: User, session: Database):
    return task_of(user, task_id, session)


@app.put("/api/tasks/{task_id}", response_model=Task)
@app.patch("/api/tasks/{task_id}", response_model=Task)
def update_task(task_id: uuid.UUID, body: TaskUpdate, user: User, session: Database):
    task = task_of(user, task_id, session)
    task.sqlmodel_update(body.model_dump(exclude_unset=True))
    task.version += 1
    task.updated_at = datetime.now(timezone.utc)
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.delete("/api/tasks/{task_id}", status_code=204)
def delete_task(task_id: uuid.UUID, user: User, session: Database):
    session.delete(task_of(user, task_id, session))
    session.commit()
    return Response(status_code=204)
