// The scenes page: drop files, watch each arrive; the table below shows the checks and the interpretation live.
import { startUploadBox } from "./upload-box";

startUploadBox();
