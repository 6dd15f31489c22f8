from sqlalchemy import select, insert, literal_column
from casparian_flow.store.tables import locations, sources, versions
FileRow=object
def list_sources(c): return c.execute(select(sources)).all()
def add_source(c, root, now):
    f=c.execute(select(sources.c.id).where(sources.c.root==root)).scalar()
    return f or c.execute(insert(sources).returning(sources.c.id),dict(root=root,display=root.decode(),added_at_ns=now)).scalar_one()
def current_files(c, ids):
    return c.execute(select(locations.c.id.label("location_id"),locations.c.source_id,locations.c.rel_path,locations.c.display,locations.c.kind,locations.c.problem,locations.c.size,locations.c.mtime_ns,locations.c.is_missing,locations.c.part_of,locations.c.current_version_id.label("version_id"),versions.c.source_hash,versions.c.content,versions.c.content_reason).outerjoin(versions,versions.c.id==locations.c.current_version_id).where(locations.c.source_id.in_(list(ids)))).all()
