"""What was asked and what became of it, in any database that SQLAlchemy knows."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Float, String, create_engine, delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nbhelpers.errors import BadInput


class Base(DeclarativeBase):
    """The tables of the history."""


class Row(Base):
    """One generation of one user."""

    __tablename__ = "generations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user: Mapped[str] = mapped_column(String(64), index=True)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    framework: Mapped[str] = mapped_column(String(16))
    strategy: Mapped[str | None] = mapped_column(String(16))
    passed: Mapped[bool]
    cached: Mapped[bool]
    seconds: Mapped[float] = mapped_column(Float)
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)


class History:
    """The generations of all users; each sees their own.

    Args:
        url: of the database, as SQLAlchemy writes it: `sqlite:///history.db`, `postgresql+psycopg://...`.

    Raises:
        BadInput: it is none, its driver is not installed, or the database does not answer.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(url, pool_pre_ping=True)
            Base.metadata.create_all(self._engine)
        except (ArgumentError, ImportError, SQLAlchemyError) as error:
            first = str(error).strip().splitlines()[0]
            raise BadInput(f"--history {_without_password(url)}: cannot be used ({first[:200]})") from None

    def add(self, user: str, answer: dict[str, Any]) -> None:
        """Keep an answer as it was sent."""
        kept = {name: answer[name] for name in ("id", "framework", "strategy", "passed", "cached", "seconds")}
        created = datetime.fromisoformat(answer["created"])
        with Session(self._engine) as session, session.begin():
            session.add(Row(user=user, created=created, answer=answer, **kept))

    def listed(self, user: str, limit: int, skip: int) -> list[dict[str, Any]]:
        """The latest generations of a user, without their files."""
        wanted = select(Row).where(Row.user == user).order_by(Row.created.desc(), Row.id)
        with Session(self._engine) as session:
            rows = session.scalars(wanted.offset(skip).limit(limit)).all()
            return [_summary(row) for row in rows]

    def one(self, user: str, generation: str) -> dict[str, Any] | None:
        """A generation of a user as it was answered; None where the user has none of this id."""
        wanted = select(Row.answer).where(Row.user == user, Row.id == generation)
        with Session(self._engine) as session:
            return session.scalars(wanted).first()

    def forget(self, before: datetime) -> int:
        """Remove what is older; how many there were."""
        with Session(self._engine) as session, session.begin():
            found: Any = session.execute(delete(Row).where(Row.created < before))
            return int(found.rowcount)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()


def _summary(row: Row) -> dict[str, Any]:
    names = ("id", "framework", "strategy", "passed", "cached", "seconds")
    # SQLite keeps no time zone; what was written was in UTC.
    created = row.created if row.created.tzinfo else row.created.replace(tzinfo=UTC)
    return {name: getattr(row, name) for name in names} | {"created": created.isoformat()}


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "URL"
