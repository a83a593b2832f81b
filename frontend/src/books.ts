// Pages of the books that need no map: their dialogs.
import { initDialog } from "./dialog";

initDialog();
