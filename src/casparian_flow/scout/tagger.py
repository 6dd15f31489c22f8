import os
from pathlib import Path
from sqlalchemy import select, insert, update
from casparian_flow.store.tables import locations, sources, versions, hashes
from casparian_flow.core.hashing import digest_of_file
class TagReport: pass
def tag(database, source, now_ns, sniff, report):
    with database.transaction() as c:
        root=c.execute(select(sources.c.root).where(sources.c.id==source)).scalar_one()
        for r in c.execute(select(locations).where(locations.c.source_id==source,locations.c.is_dirty.is_(True))).all():
            p=os.path.join(root,r.rel_path); h=digest_of_file(Path(os.fsdecode(p))) if r.size else "blake3:empty"
            cur=c.execute(select(versions.c.source_hash).where(versions.c.id==r.current_version_id)).scalar() if r.current_version_id else None
            vid=r.current_version_id
            if cur!=h:
                if not c.execute(select(hashes.c.size).where(hashes.c.source_hash==h)).first():
                    c.execute(insert(hashes),dict(source_hash=h,size=r.size,first_seen_at_ns=now_ns))
                k=sniff(open(p,"rb").read(65536),r.size)
                vid=c.execute(insert(versions).returning(versions.c.id),dict(location_id=r.id,source_hash=h,size=r.size,mtime_ns=r.mtime_ns,content=k.kind,content_reason=k.reason,detected_at_ns=now_ns)).scalar_one()
            c.execute(update(locations).where(locations.c.id==r.id).values(is_dirty=False,current_version_id=vid))
    return TagReport()
