"""What a lesson uses: its tables, its charts, and the check, hints and solution of each exercise.

    from c360lib.course import check, hint, lesson_workspace, show, solution

Needs the extra `course`.
"""

from c360lib.course.charts import show
from c360lib.course.checks import check, hint, solution
from c360lib.course.tables import lesson_workspace

__all__ = ["check", "hint", "lesson_workspace", "show", "solution"]
