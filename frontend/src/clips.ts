// The list of clips: drop videos, watch each arrive; the table below shows check and enhancement live.
import { startUploadBox } from "./upload-box";

startUploadBox();
