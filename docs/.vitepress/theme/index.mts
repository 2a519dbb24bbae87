// The theme without its web font: nothing is asked of the network, and no font is shipped.
import DefaultTheme from 'vitepress/theme-without-fonts';
import './style.css';

export default DefaultTheme;
