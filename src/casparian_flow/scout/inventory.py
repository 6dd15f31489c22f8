import os
from sqlalchemy import select, insert, update
from casparian_flow.store.tables import locations, sources, scans
class ScanReport: pass
def scan(database, source, now_ns, report):
    with database.transaction() as c:
        root=c.execute(select(sources.c.root).where(sources.c.id==source)).scalar_one()
        known={r.rel_path:r for r in c.execute(select(locations).where(locations.c.source_id==source))}
        sid=c.execute(insert(scans).returning(scans.c.id),{"source_id":source,"started_at_ns":now_ns}).scalar_one()
        for d,_,fs in os.walk(root):
            for f in fs:
                p=os.path.join(d,f); st=os.stat(p); rel=os.path.relpath(p,root)
                v=dict(size=st.st_size,mtime_ns=st.st_mtime_ns,ctime_ns=st.st_ctime_ns,inode=st.st_ino)
                k=known.pop(rel,None)
                if k is None:
                    c.execute(insert(locations),dict(source_id=source,rel_path=rel,display=rel.decode("utf-8","backslashreplace"),kind="file",is_dirty=True,is_missing=False,last_scan_id=sid,**v))
                elif (k.size,k.mtime_ns,k.ctime_ns,k.inode)!=tuple(v.values()):
                    c.execute(update(locations).where(locations.c.id==k.id).values(is_dirty=True,is_missing=False,**v))
        for k in known.values():
            c.execute(update(locations).where(locations.c.id==k.id).values(is_missing=True))
    return ScanReport()
